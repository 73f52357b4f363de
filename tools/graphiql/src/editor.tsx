/** GraphiQL on one endpoint, for whoever is signed in. */

import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./editor.css";

import { useGraphiQL } from "@graphiql/react";
import { GraphiQL, HISTORY_PLUGIN } from "graphiql";
import { useEffect, useMemo } from "react";

import { exampleQuery, welcome } from "./example";
import type { Ask } from "./fetcher";
import type { Endpoint } from "./session";
import { storageOf } from "./storage";

declare const WORKER_NAMES: Record<string, string>;

(globalThis as { MonacoEnvironment?: unknown }).MonacoEnvironment = {
  getWorker(_id: string, label: string): Worker {
    const name = WORKER_NAMES[label] ?? WORKER_NAMES.editor!;
    return new Worker(new URL(`./${name}`, import.meta.url), { type: "module", name: label });
  },
};

export interface EditorProps {
  tenant: string;
  login: string;
  endpoint: Endpoint;
  ask: Ask;
}

const PLUGINS = [HISTORY_PLUGIN];

export function Editor({ tenant, login, endpoint, ask }: EditorProps) {
  const storage = useMemo(() => storageOf(tenant, login, endpoint), [tenant, login, endpoint]);
  return (
    <GraphiQL
      fetcher={ask as never}
      storage={storage}
      plugins={PLUGINS}
      defaultQuery={welcome(endpoint)}
      defaultEditorToolsVisibility={false}
      inputValueDeprecation
      schemaDescription
      shouldPersistHeaders={false}
    >
      <GraphiQL.Logo>
        <span className="ostiary-logo">
          Graph<em>i</em>QL
        </span>
      </GraphiQL.Logo>
      <GraphiQL.Footer>
        <Example endpoint={endpoint} />
      </GraphiQL.Footer>
    </GraphiQL>
  );
}

/** Nothing to see: it adds a first query under the welcome, once the schema is known and as long as nothing was typed. */
function Example({ endpoint }: { endpoint: Endpoint }) {
  const { schema, queryEditor } = useGraphiQL((state) => ({ schema: state.schema, queryEditor: state.queryEditor }));
  useEffect(() => {
    if (schema && queryEditor?.getValue() === welcome(endpoint)) {
      queryEditor.setValue(welcome(endpoint) + exampleQuery(schema));
    }
  }, [schema, queryEditor, endpoint]);
  return null;
}
