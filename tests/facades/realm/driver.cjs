// Realm's SDK for browsers as an application has it, with a localStorage that outlives the process. Each line of the
// standard input is code to run, and each line of the output what it returned or threw.
const { existsSync, readFileSync, writeFileSync } = require("node:fs");
const { createInterface } = require("node:readline");

const MOST_CALLS = 40;
const [config, storageFile] = process.argv.slice(2);
const stored = existsSync(storageFile) ? JSON.parse(readFileSync(storageFile, "utf8")) : {};
const keep = () => writeFileSync(storageFile, JSON.stringify(stored));
globalThis.localStorage = {
  get length() {
    return Object.keys(stored).length;
  },
  key: (place) => Object.keys(stored)[place] ?? null,
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

// What goes over the network; a client that would never end ends here.
const calls = [];
const fetchFromNetwork = globalThis.fetch;
globalThis.fetch = async (url, options) => {
  const { pathname, search } = new URL(url);
  calls.push(`${options?.method ?? "GET"} ${pathname}${search}`);
  if (calls.length > MOST_CALLS) {
    throw new Error("the client does not end");
  }
  return fetchFromNetwork(url, options);
};

const Realm = require("realm-web/dist/bundle.dom.cjs.js");
const app = new Realm.App(JSON.parse(config));

const AsyncFunction = (async () => {}).constructor;
const told = ({ name, message, statusCode, error, errorCode }) => ({ name, message, statusCode, error, errorCode });

async function answer(line) {
  const { code, given } = JSON.parse(line);
  calls.length = 0;
  try {
    const names = { Realm, app, calls, stored, ...given };
    const run = new AsyncFunction(...Object.keys(names), code);
    return { value: (await run(...Object.values(names))) ?? null };
  } catch (error) {
    return { error: { ...told(error), calls: [...calls] } };
  }
}

let last = Promise.resolve();
createInterface({ input: process.stdin }).on("line", (line) => {
  last = last.then(() => answer(line)).then((each) => process.stdout.write(`${JSON.stringify(each)}\n`));
});
