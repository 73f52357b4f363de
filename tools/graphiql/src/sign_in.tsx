/** The way in: a tenant with a login and a password, or a tenant alone. */

import { type FormEvent, useEffect, useRef, useState } from "react";

import { type Doors, type Session, signIn, signInAnonymously } from "./session";
import { suggestedTenant } from "./storage";

interface SignInProps {
  doors: Doors;
  licences: string;
  notice: string;
  onSession(session: Session): void;
}

type Way = "password" | "anonymous";

export function SignIn({ doors, licences, notice, onSession }: SignInProps) {
  const [tenant, setTenant] = useState(suggestedTenant);
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState<Way | null>(null);
  const tenantInput = useRef<HTMLInputElement>(null);
  const loginInput = useRef<HTMLInputElement>(null);
  const passwordInput = useRef<HTMLInputElement>(null);

  useEffect(() => (tenant ? loginInput : tenantInput).current?.focus(), []);

  function firstEmpty(way: Way): [HTMLInputElement | null, string] | null {
    if (!tenant.trim()) return [tenantInput.current, "Enter the tenant id."];
    if (way === "anonymous") return null;
    if (!login) return [loginInput.current, "Enter your login, or enter anonymously."];
    if (!password) return [passwordInput.current, "Enter your password."];
    return null;
  }

  async function enter(way: Way): Promise<void> {
    const empty = firstEmpty(way);
    setFault(empty?.[1] ?? "");
    if (empty) return empty[0]?.focus();
    setBusy(way);
    try {
      const id = tenant.trim();
      onSession(await (way === "password" ? signIn(doors, id, login, password) : signInAnonymously(doors, id)));
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error));
      setBusy(null);
      if (way === "password") passwordInput.current?.select();
    }
  }

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (!busy) void enter("password");
  }

  return (
    <main className="ostiary-entrance">
      <form className="ostiary-card" method="post" noValidate onSubmit={submit} aria-busy={busy !== null}>
        <h1>Sign in</h1>
        <p className="ostiary-lead">Then ask: every table that your role may see is a field of a GraphQL schema.</p>
        {notice && !fault && (
          <p className="ostiary-notice" role="status">
            {notice}
          </p>
        )}
        {fault && (
          <p className="ostiary-fault" role="alert" id="fault">
            {fault}
          </p>
        )}
        <label htmlFor="tenant">Tenant id</label>
        <input
          id="tenant"
          name="tenantid"
          ref={tenantInput}
          inputMode="numeric"
          autoComplete="on"
          required
          value={tenant}
          onChange={(event) => setTenant(event.target.value)}
        />
        <label htmlFor="login">Login</label>
        <input
          id="login"
          name="login"
          ref={loginInput}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          value={login}
          onChange={(event) => setLogin(event.target.value)}
        />
        <label htmlFor="password">Password</label>
        <input
          id="password"
          name="password"
          type="password"
          ref={passwordInput}
          autoComplete="current-password"
          value={password}
          aria-describedby={fault ? "fault" : undefined}
          onChange={(event) => setPassword(event.target.value)}
        />
        <button type="submit" className="ostiary-primary" disabled={busy !== null}>
          {busy === "password" ? "Signing in…" : "Sign in"}
        </button>
        <p className="ostiary-or">
          <span>or</span>
        </p>
        <button
          type="button"
          className="ostiary-secondary"
          disabled={busy !== null}
          onClick={() => void enter("anonymous")}
        >
          {busy === "anonymous" ? "Entering…" : "Enter anonymously"}
        </button>
        <p className="ostiary-hint">Needs only a tenant id, and a tenant that allows it.</p>
      </form>
      <p className="ostiary-small">
        The session is kept in this browser tab alone, until you log out or close it. ·{" "}
        <a href={licences}>Licences</a>
      </p>
    </main>
  );
}
