// What a browser keeps for a tab and for all tabs. One that keeps nothing, because it is told to or is full, keeps it for
// as long as the page is open: the page works all the same.

class Kept {
  /** @param {"sessionStorage" | "localStorage"} name */
  constructor(name) {
    this.name = name;
    /** @type {Map<string, string | null>} what the browser did not take */
    this.own = new Map();
  }

  /** @param {string} key @returns {string | null} */
  getItem(key) {
    if (this.own.has(key)) return this.own.get(key) ?? null;
    try {
      return globalThis[this.name].getItem(key); // even to name it is refused where sites may keep nothing
    } catch {
      return null;
    }
  }

  /** @param {string} key @param {string} value @returns {boolean} whether it outlives the page */
  setItem(key, value) {
    try {
      globalThis[this.name].setItem(key, value);
      this.own.delete(key);
      return true;
    } catch {
      this.own.set(key, value);
      return false;
    }
  }

  /** @param {string} key */
  removeItem(key) {
    try {
      globalThis[this.name].removeItem(key);
      this.own.delete(key);
    } catch {
      this.own.set(key, null);
    }
  }
}

/** What belongs to this tab, and is there after a reload. */
export const tabOnly = new Kept("sessionStorage");
/** What all tabs of the browser share. */
export const shared = new Kept("localStorage");
