//! Parts that every page is made of. Nothing here talks to the server or knows its types.

pub mod badge;
pub mod breadcrumbs;
pub mod chart;
pub mod confirm;
pub mod copy;
pub mod dialog;
pub mod empty;
pub mod facts;
pub mod failed;
pub mod field;
pub mod file_tree;
pub mod icon;
pub mod loaded;
pub mod markdown;
pub mod menu;
pub mod pager;
pub mod person;
pub mod search;
pub mod skeleton;
pub mod snippets;
pub mod sort;
pub mod theme;
pub mod time;
pub mod title;
pub mod toast;
