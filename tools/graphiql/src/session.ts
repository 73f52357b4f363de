/** Who is signed in, and the calls that begin, renew and end that. Tokens live in sessionStorage: never in the address,
 *  never in a cookie, gone with the browser tab. */

export type Endpoint = "query" | "roles_pbac";

export interface Session {
  tenant: string;
  login: string;
  roleId: number;
  accessToken: string;
  refreshToken: string;
  paths: Record<Endpoint, string>;
}

export interface Doors {
  auth: string;
  anonauth: string;
}

interface LoginReply {
  access_token: string;
  refresh_token: string;
  message: string;
  roleid: number;
  routes: Record<Endpoint, string>;
}

/** A refusal in a sentence that is safe and useful to show. */
export class Refused extends Error {
  constructor(
    sentence: string,
    readonly status: number,
  ) {
    super(sentence);
  }
}

const STORED_SESSION = "ostiary:session";

export function storedSession(): Session | null {
  try {
    return JSON.parse(sessionStorage.getItem(STORED_SESSION) ?? "null") as Session | null;
  } catch {
    return null;
  }
}

export function storeSession(session: Session | null): void {
  if (session) sessionStorage.setItem(STORED_SESSION, JSON.stringify(session));
  else sessionStorage.removeItem(STORED_SESSION);
}

export async function signIn(doors: Doors, tenant: string, login: string, password: string): Promise<Session> {
  const reply = await call(doors.auth, "POST", {}, { tenantid: tenant, login, password });
  return sessionFrom(reply, tenant, login);
}

export async function signInAnonymously(doors: Doors, tenant: string): Promise<Session> {
  const reply = await call(doors.anonauth, "POST", {}, { tenantid: tenant });
  return sessionFrom(reply, tenant, `nobody${tenant}`);
}

/** The same session with new tokens. */
export async function refresh(doors: Doors, session: Session): Promise<Session> {
  const reply = await call(doors.auth, "GET", bearer(session.refreshToken));
  return sessionFrom(reply, session.tenant, session.login);
}

export async function signOut(doors: Doors, session: Session): Promise<void> {
  await call(doors.auth, "DELETE", bearer(session.accessToken));
}

export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

/** The JSON of a response. Throws Refused when there is none. */
export async function readJson(response: Response): Promise<Record<string, unknown>> {
  try {
    return (await response.json()) as Record<string, unknown>;
  } catch {
    throw new Refused(`The gateway answered with status ${response.status} and no explanation.`, response.status);
  }
}

/** What `fetch` gives. Throws Refused when the gateway cannot be reached. */
export async function reach(address: string, request: RequestInit): Promise<Response> {
  try {
    return await fetch(address, { ...request, cache: "no-store", redirect: "error" });
  } catch {
    throw new Refused("The gateway could not be reached. Is it running?", 0);
  }
}

export function sentenceOf(body: Record<string, unknown>, status: number): string {
  const sentence = body.error ?? body.message;
  return typeof sentence === "string" && sentence ? sentence : `The gateway refused with status ${status}.`;
}

async function call(
  address: string,
  method: string,
  headers: Record<string, string>,
  body?: Record<string, string>,
): Promise<Record<string, unknown>> {
  // GraphiQL introspects by itself, so the two schemas of a login reply would be carried for nothing.
  const response = await reach(method === "DELETE" ? address : `${address}?schema=none`, {
    method,
    headers: { accept: "application/json", ...headers, ...(body && { "content-type": "application/json" }) },
    body: body && JSON.stringify(body),
  });
  if (response.status === 204) return {};
  const reply = await readJson(response);
  if (!response.ok) throw new Refused(sentenceOf(reply, response.status), response.status);
  return reply;
}

function sessionFrom(body: Record<string, unknown>, tenant: string, login: string): Session {
  const reply = body as unknown as LoginReply;
  if (!reply.access_token || !reply.routes) throw new Refused("The gateway's reply holds no token.", 200);
  return {
    tenant,
    login: /^Logged in as (.+)\.$/.exec(reply.message)?.[1] ?? login,
    roleId: reply.roleid,
    accessToken: reply.access_token,
    refreshToken: reply.refresh_token,
    paths: { query: pathOf(reply.routes.query), roles_pbac: pathOf(reply.routes.roles_pbac) },
  };
}

/** The path of a route alone: the page speaks to its own origin only, whatever name a proxy gave the gateway. */
function pathOf(route: string): string {
  return new URL(route, document.baseURI).pathname;
}
