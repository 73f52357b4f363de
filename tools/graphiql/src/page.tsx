/** The page: a bar that says who is signed in, and below it the way in, or GraphiQL. */

import { type ComponentType, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { createRoot } from "react-dom/client";

import { Bar } from "./bar";
import type { EditorProps } from "./editor";
import { fetcherFor, type Keeper } from "./fetcher";
import { type Doors, type Endpoint, Refused, type Session, signOut, storedSession, storeSession } from "./session";
import { SignIn } from "./sign_in";
import { rememberTenant, showStoredTheme } from "./storage";

const root = document.getElementById("page")!;
const doors: Doors = { auth: root.dataset.auth!, anonauth: root.dataset.anonauth! };

/** GraphiQL is three megabytes that nobody needs in order to sign in: it comes while they type. */
const editorComing = loadEditor();

function Page() {
  const [session, setSession] = useState<Session | null>(storedSession);
  const [endpoint, setEndpoint] = useState<Endpoint>("query");
  const [notice, setNotice] = useState("");
  const current = useRef(session);

  const keep = useCallback((next: Session | null, sentence = "") => {
    current.current = next;
    storeSession(next);
    setSession(next);
    setNotice(sentence);
  }, []);

  const keeper = useMemo<Keeper>(
    () => ({ doors, current: () => current.current, renewed: keep, ended: (sentence) => keep(null, sentence) }),
    [keep],
  );
  const ask = useMemo(() => fetcherFor(endpoint, keeper), [endpoint, keeper]);

  async function leave(): Promise<void> {
    const ending = current.current;
    keep(null);
    setEndpoint("query");
    try {
      if (ending) await signOut(doors, ending);
    } catch (error) {
      // A session that the gateway has ended already needs no word; one that it may still hold does.
      if (!(error instanceof Refused && error.status >= 400 && error.status < 500)) {
        setNotice("This tab has forgotten the session, but the gateway could not be told to end it.");
      }
    }
  }

  return (
    <div className="ostiary-page">
      <Bar session={session} endpoint={endpoint} onEndpoint={setEndpoint} onLeave={() => void leave()} />
      {session ? (
        <EditorWhenReady
          key={`${session.tenant} ${session.roleId} ${endpoint}`}
          tenant={session.tenant}
          login={session.login}
          endpoint={endpoint}
          ask={ask}
        />
      ) : (
        <SignIn
          doors={doors}
          licences={root.dataset.licences!}
          notice={notice}
          onSession={(next) => {
            rememberTenant(next.tenant);
            keep(next);
          }}
        />
      )}
    </div>
  );
}

function EditorWhenReady(props: EditorProps) {
  const [Editor, setEditor] = useState<ComponentType<EditorProps> | null>(null);
  const [fault, setFault] = useState(false);
  useEffect(() => {
    editorComing.then(
      (loaded) => setEditor(() => loaded),
      () => setFault(true),
    );
  }, []);
  if (fault) return <p className="ostiary-waiting">GraphiQL could not be loaded. Reload the page to try again.</p>;
  if (!Editor) return <p className="ostiary-waiting" role="status">Loading GraphiQL…</p>;
  return <main className="ostiary-editor"><Editor {...props} /></main>;
}

async function loadEditor(): Promise<ComponentType<EditorProps>> {
  // Monaco measures the width of a letter once: with the font still on its way, cursor and text would part.
  const font = document.fonts.load('15px "Fira Code"').catch(() => []);
  const [module] = await Promise.all([import("./editor"), addStyles(root.dataset.editorStyle!), font]);
  return module.Editor;
}

function addStyles(address: string): Promise<void> {
  return new Promise((loaded, failed) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = address;
    link.onload = () => loaded();
    link.onerror = () => failed(new Error(`${address} did not load`));
    document.head.append(link);
  });
}

showStoredTheme();
createRoot(root).render(<Page />);
