/** What a newcomer finds in an empty editor. */

import { getNamedType, type GraphQLField, type GraphQLSchema, isLeafType, isListType, isObjectType, isRequiredArgument } from "graphql";

import type { Endpoint } from "./session";

const RUN = navigator.userAgent.includes("Mac") ? "Cmd-Enter" : "Ctrl-Enter";

const SUBJECT: Record<Endpoint, string> = {
  query: `# Each table that you may read is a field here. Say which rows with filter, ordering,
# limit and offset; follow a foreign key by naming the other table inside.`,
  roles_pbac: `# This schema holds who may do what: the tenant's roles, their classes and the policy
# rules. What you find in it depends on what your role may see and change.`,
};

export function welcome(endpoint: Endpoint): string {
  return `# Welcome. You are signed in, so ask: press ${RUN}, or the play button, to run.
#
${SUBJECT[endpoint]}
#
# Ctrl-Space shows what fits at the cursor. The book on the left is the documentation
# of everything you may ask for.

`;
}

/** A query that runs as it stands, on the first list of the schema; or nothing, where there is none. */
export function exampleQuery(schema: GraphQLSchema): string {
  for (const field of Object.values(schema.getQueryType()?.getFields() ?? {})) {
    const columns = isListType(field.type) && !field.args.some(isRequiredArgument) ? leavesOf(field) : [];
    if (columns.length < 2) continue;
    const limit = field.args.some((argument) => argument.name === "limit") ? "(limit: 10)" : "";
    return `{\n  ${field.name}${limit} {\n    ${columns.slice(0, 5).join("\n    ")}\n  }\n}\n`;
  }
  return "";
}

function leavesOf(field: GraphQLField<unknown, unknown>): string[] {
  const type = getNamedType(field.type);
  if (!isObjectType(type)) return [];
  return Object.values(type.getFields())
    .filter((leaf) => isLeafType(getNamedType(leaf.type)) && !leaf.args.some(isRequiredArgument))
    .map((leaf) => leaf.name);
}
