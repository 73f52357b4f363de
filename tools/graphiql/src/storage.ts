/** Where GraphiQL keeps tabs, history and layout: localStorage, apart for each tenant, login and endpoint, so that one
 *  person's documents do not open for the next. The theme is one for all. */

const THEME = "graphiql:theme";
const STORED_THEME = "ostiary:theme";

export function storageOf(tenant: string, login: string, endpoint: string) {
  const prefix = `ostiary:${encodeURIComponent(tenant)}:${encodeURIComponent(login)}:${endpoint}:`;
  const nameOf = (key: string) => (key === THEME ? STORED_THEME : prefix + key);
  const own = () => Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  return {
    getItem: (key: string) => localStorage.getItem(nameOf(key)),
    setItem: (key: string, value: string) => localStorage.setItem(nameOf(key), value),
    removeItem: (key: string) => localStorage.removeItem(nameOf(key)),
    get length() {
      return own().length;
    },
    clear: () => own().forEach((key) => localStorage.removeItem(key)),
  };
}

/** Gives the page the theme chosen in GraphiQL's settings, before GraphiQL itself is there. */
export function showStoredTheme(): void {
  const theme = localStorage.getItem(STORED_THEME);
  if (theme === "light" || theme === "dark") document.body.classList.add(`graphiql-${theme}`);
}

const STORED_TENANT = "ostiary:tenant";

/** The tenant id to begin with: of the address, else the last one used. */
export function suggestedTenant(): string {
  return new URLSearchParams(location.search).get("tenant") ?? localStorage.getItem(STORED_TENANT) ?? "";
}

export function rememberTenant(tenant: string): void {
  localStorage.setItem(STORED_TENANT, tenant);
}
