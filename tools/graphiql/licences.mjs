// The licences of every package that has a file in the bundle.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const HEAD = `GraphiQL as Ostiary serves it is made of the packages below. Each stands under its own licence, whose text follows
its name. What is Ostiary's own stands under the Apache License, Version 2.0.
`;

// Packages published without their licence text, and a package of the same authors and repository that carries it.
const TEXT_IN = {
  "@graphiql/plugin-doc-explorer": "graphiql",
  "@graphiql/plugin-history": "graphiql",
  "react-compiler-runtime": "react",
  "react-remove-scroll-bar": "react-remove-scroll",
};

/** One text with a section per package, in the order of their names. */
export function licences(inputs) {
  const folders = new Set(inputs.map(packageFolder).filter(Boolean));
  const sections = [...folders].sort().map(section);
  return [HEAD, ...sections].join(`\n${"=".repeat(80)}\n\n`);
}

/** node_modules/a/node_modules/@b/c/file.js → node_modules/a/node_modules/@b/c */
function packageFolder(input) {
  return /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(input)?.[0];
}

function section(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const texts = licenceTexts(TEXT_IN[name] ? `node_modules/${TEXT_IN[name]}` : folder);
  if (!texts.length) throw new Error(`${name} carries no licence text: name one in TEXT_IN`);
  return `${name} ${version} (${license})\n\n${texts.join("\n\n")}\n`;
}

function licenceTexts(folder) {
  return readdirSync(folder)
    .filter((file) => /^(licen[cs]e|notice|third-?party-?notices|copying)/i.test(file))
    .sort()
    .map((file) => readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim());
}
