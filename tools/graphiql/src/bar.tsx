/** The bar on top: the name, the endpoint switch, who is signed in, and the way out. */

import type { Endpoint, Session } from "./session";

const ENDPOINTS: { name: Endpoint; about: string }[] = [
  { name: "query", about: "The tenant's data" },
  { name: "roles_pbac", about: "Roles, classes and policy rules" },
];

interface BarProps {
  session: Session | null;
  endpoint: Endpoint;
  onEndpoint(endpoint: Endpoint): void;
  onLeave(): void;
}

export function Bar({ session, endpoint, onEndpoint, onLeave }: BarProps) {
  return (
    <header className="ostiary-bar">
      <span className="ostiary-name">
        <Mark />
        Ostiary
      </span>
      {session && (
        <>
          <fieldset className="ostiary-endpoints">
            <legend>Endpoint</legend>
            {ENDPOINTS.map(({ name, about }) => (
              <label key={name} title={about}>
                <input
                  type="radio"
                  name="endpoint"
                  value={name}
                  checked={endpoint === name}
                  onChange={() => onEndpoint(name)}
                />
                <span>{name}</span>
              </label>
            ))}
          </fieldset>
          <p className="ostiary-who">
            <strong>{session.login}</strong>
            <span>
              tenant {session.tenant} · role {session.roleId}
            </span>
          </p>
          <button type="button" className="ostiary-quiet" onClick={onLeave}>
            Log out
          </button>
        </>
      )}
    </header>
  );
}

/** A doorway with someone's light in it. */
function Mark() {
  return (
    <svg viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">
      <path d="M4 21V10a8 8 0 0 1 16 0v11" fill="none" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
      <path d="M8.5 21V10.5a3.5 3.5 0 0 1 7 0V21z" fill="var(--ostiary-accent)" />
      <path d="M2 21h20" stroke="currentColor" strokeWidth="2" strokeLinecap="round" />
    </svg>
  );
}
