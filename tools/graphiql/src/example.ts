/** What a newcomer finds in an empty editor. */

import {
  getNamedType,
  getNullableType,
  type GraphQLField,
  type GraphQLSchema,
  isLeafType,
  isListType,
  isObjectType,
  isRequiredArgument,
} from "graphql";

import type { Endpoint } from "./session";

const RUN = navigator.userAgent.includes("Mac") ? "Cmd-Enter" : "Ctrl-Enter";

// The lines are short: half of a small screen shows forty-odd characters.
const SUBJECT: Record<Endpoint, string> = {
  query: `# Each table that you may read is a field. Say
# which rows by filter, ordering, limit, offset;
# follow a foreign key by naming the other table
# inside.`,
  roles_pbac: `# Here stands who may do what: the tenant's roles,
# their classes and the policy rules, as far as
# your role may see and change them.`,
};

export function welcome(endpoint: Endpoint): string {
  return `# Welcome. You are signed in, so ask:
# ${RUN} or the play button runs this.
#
${SUBJECT[endpoint]}
#
# Ctrl-Space shows what fits at the cursor; the
# book on the left documents all you may ask for.

`;
}

/** A query that runs as it stands, on the first list of the schema; or nothing, where there is none. */
export function exampleQuery(schema: GraphQLSchema): string {
  for (const field of Object.values(schema.getQueryType()?.getFields() ?? {})) {
    const columns = isListType(getNullableType(field.type)) && !field.args.some(isRequiredArgument) ? leavesOf(field) : [];
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
