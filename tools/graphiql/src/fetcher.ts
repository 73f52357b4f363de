/** GraphQL operations with the session's token, renewed once when it has expired. */

import { bearer, type Doors, type Endpoint, reach, readJson, Refused, refresh, sentenceOf, type Session } from "./session";

export interface Operation {
  query: string;
  variables?: unknown;
  operationName?: string | null;
}

export interface Keeper {
  doors: Doors;
  /** The session as it now is. */
  current(): Session | null;
  renewed(session: Session): void;
  ended(sentence: string): void;
}

export type Ask = (operation: Operation, options?: { headers?: Record<string, string> }) => Promise<Record<string, unknown>>;

let renewal: Promise<Session> | null = null;

export function fetcherFor(endpoint: Endpoint, keeper: Keeper): Ask {
  return async (operation, options) => {
    const session = keeper.current();
    if (!session) throw new Refused("Nobody is signed in.", 401);
    const reply = await post(session, endpoint, operation, options?.headers);
    // A token written into the headers editor is its author's own affair: its refusal is shown, and ends nothing.
    if (!reply.refusal || namesAuthorization(options?.headers)) return reply.body;
    if (!reply.refusal.includes("expired")) return endedBy(keeper, reply.refusal);
    let renewed: Session;
    try {
      renewed = await renewOnce(session, keeper);
    } catch (error) {
      if (error instanceof Refused && error.status >= 400 && error.status < 429) return endedBy(keeper, error.message);
      throw error;
    }
    const second = await post(renewed, endpoint, operation, options?.headers);
    return second.refusal ? endedBy(keeper, second.refusal) : second.body;
  };
}

async function post(
  session: Session,
  endpoint: Endpoint,
  operation: Operation,
  headers: Record<string, string> = {},
): Promise<{ body: Record<string, unknown>; refusal: string | null }> {
  const own = { accept: "application/json", "content-type": "application/json", ...bearer(session.accessToken) };
  const given = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
  const response = await reach(session.paths[endpoint], {
    method: "POST",
    headers: { ...own, ...given },
    body: JSON.stringify(operation),
  });
  const body = await readJson(response);
  const refused = response.status === 401 || response.status === 422;
  return { body, refusal: refused ? sentenceOf(body, response.status) : null };
}

/** New tokens, asked for once however many operations wait: a refresh token is good for one use. */
function renewOnce(session: Session, keeper: Keeper): Promise<Session> {
  const current = keeper.current();
  if (current && current.accessToken !== session.accessToken) return Promise.resolve(current);
  renewal ??= refresh(keeper.doors, session)
    .then((renewed) => {
      keeper.renewed(renewed);
      return renewed;
    })
    .finally(() => {
      renewal = null;
    });
  return renewal;
}

function endedBy(keeper: Keeper, sentence: string): never {
  keeper.ended(sentence);
  throw new Refused(sentence, 401);
}

function namesAuthorization(headers: Record<string, string> = {}): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
}
