// Keeps the shortcuts that are pressed before the program has started, for parts/shortcuts.rs to take.
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
