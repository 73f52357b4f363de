// Prints what graphql-js says to each case: the step that refuses it, or "taken". Reads
// {"schemas": {name: SDL}, "cases": [{"schema", "query", "operationName", "variables"}]} from the standard input.
import { readFileSync } from 'node:fs';
import { buildSchema, getOperationAST, getVariableValues, parse, validate, version } from 'graphql';

const { schemas, cases } = JSON.parse(readFileSync(0, 'utf8'));
const built = Object.fromEntries(Object.entries(schemas).map(([name, sdl]) => [name, buildSchema(sdl)]));

const judge = ({ schema, query, operationName, variables }) => {
  let document;
  try {
    document = parse(query);
  } catch (error) {
    return ['parse', error.message];
  }
  const faults = validate(built[schema], document);
  if (faults.length) return ['validate', faults[0].message];
  const operation = getOperationAST(document, operationName ?? undefined);
  if (!operation) return ['choose', ''];
  const { errors } = getVariableValues(built[schema], operation.variableDefinitions ?? [], variables);
  return errors ? ['coerce', errors[0].message] : ['taken', ''];
};

console.log(JSON.stringify({ version, verdicts: cases.map(judge) }));
