// What the page does before the program has started.

// The theme that was chosen last time, as components/theme.rs keeps it. Storage may be refused.
(() => {
  try {
    const theme = localStorage.getItem("theme");
    if (theme) document.documentElement.dataset.theme = theme;
  } catch {}
})();

// Keeps the shortcuts that are pressed, for parts/shortcuts.rs to take.
(() => {
  const keys = [];
  const keep = (event) => {
    const command = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "k";
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey && (event.key === "/" || event.key === "?");
    if (!command && !plain) return;
    // The browser has other uses for them.
    event.preventDefault();
    keys.push(event);
  };
  addEventListener("keydown", keep);
  window.takeEarlyKeys = () => {
    removeEventListener("keydown", keep);
    return keys.splice(0);
  };
})();

// Says so where the program cannot be loaded or started. Once it has, there is no shell any more.
(() => {
  const fail = (event) => {
    const shell = document.getElementById("shell");
    // A picture that is missing, say, is no reason.
    if (!shell || (event.target instanceof Element && event.target.tagName !== "SCRIPT")) return;
    shell.querySelector("[data-waiting]").hidden = true;
    shell.querySelector("[data-failed]").hidden = false;
  };
  addEventListener("error", fail, true);
  addEventListener("unhandledrejection", fail);
  addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("[data-reload]")) location.reload();
  });
})();
