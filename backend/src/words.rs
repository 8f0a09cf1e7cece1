//! Enumerations that are stored as their GraphQL names: one list of words for the database, the API and the program.

/// An enum that is stored as its GraphQL name.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$item_doc:meta])* $item:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(async_graphql::Enum, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name {
            $($(#[$item_doc])* #[graphql(name = $text)] $item,)*
        }

        impl $name {
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$item => $text,)*
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                match text.as_str() {
                    $($text => Ok(Self::$item),)*
                    _ => Err(format!("{text:?} is no {}", stringify!($name))),
                }
            }
        }

        impl From<$name> for $crate::sql::Value {
            fn from(value: $name) -> Self {
                value.as_str().into()
            }
        }
    };
}
pub(crate) use text_enum;
