// Prints the SDL of the schema that graphql-js builds of an introspection result, which the standard input holds.
import { readFileSync } from 'node:fs';
import { buildClientSchema, printSchema, validateSchema } from 'graphql';

const schema = buildClientSchema(JSON.parse(readFileSync(0, 'utf8')));
const faults = validateSchema(schema);
if (faults.length) throw faults[0];
console.log(printSchema(schema));
