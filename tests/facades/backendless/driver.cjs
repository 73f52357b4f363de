// Backendless' SDK as an application has it, with a localStorage that outlives the process. Each line of the standard
// input is code to run, and each line of the output what it returned or threw.
const { existsSync, readFileSync, writeFileSync } = require("node:fs");
const { createInterface } = require("node:readline");

const [config, storageFile] = process.argv.slice(2);
const stored = existsSync(storageFile) ? JSON.parse(readFileSync(storageFile, "utf8")) : {};
const keep = () => writeFileSync(storageFile, JSON.stringify(stored));
globalThis.localStorage = {
  getItem: (name) => stored[name] ?? null,
  setItem: (name, value) => {
    stored[name] = String(value);
    keep();
  },
  removeItem: (name) => {
    delete stored[name];
    keep();
  },
};
// What the SDK takes for a sign that there may be a localStorage.
globalThis.self ??= globalThis;
globalThis.window = globalThis;

const Backendless = require("backendless");
Backendless.initApp(JSON.parse(config));

const AsyncFunction = (async () => {}).constructor;
const told = (error) => ({ name: error.name, message: error.message, code: error.code, status: error.status });

async function answer(line) {
  const { code, given } = JSON.parse(line);
  try {
    const run = new AsyncFunction("Backendless", ...Object.keys(given), code);
    return { value: (await run(Backendless, ...Object.values(given))) ?? null };
  } catch (error) {
    return { error: told(error) };
  }
}

let last = Promise.resolve();
createInterface({ input: process.stdin }).on("line", (line) => {
  last = last.then(() => answer(line)).then((each) => process.stdout.write(`${JSON.stringify(each)}\n`));
});
