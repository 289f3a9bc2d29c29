// Calls @wazo/sdk for t/e2e/test_sdk.py. A line of JSON in is one order, a line of JSON out its outcome, in order.
//
//   {"new": NAME, "options": {...}}                      a WazoApiClient; NAME is used below
//   {"call": "NAME.auth.logIn", "arguments": [...]}      NAME may also be Wazo (the "simple" part of the SDK)
//   {"methods": NAME}                                    names of its methods for authentication
//   {"refreshed": NAME}                                  tokens that the client got by itself, oldest first
//   {"listen": true}, {"heard": true}                    remember opening and closing of Wazo.Websocket; what was remembered
//
// Outcome: {"value": ...} or {"error": {"name", "message", "status", "errorId", "details"}}.
// WAZO_AUTH_SDK is the folder with node_modules. The SDK's own messages go to stderr.
'use strict';

const { createRequire } = require('node:module');
const readline = require('node:readline');

for (const name of ['log', 'info', 'debug', 'trace', 'warn']) console[name] = console.error;

const installed = createRequire(`${process.env.WAZO_AUTH_SDK}/package.json`);
global.WebSocket = installed('ws');
const { default: Wazo, WazoApiClient } = installed('@wazo/sdk');

const things = { Wazo };
const refreshed = {};
const heard = [];

function make(name, options) {
  const client = new WazoApiClient(options);
  client.disableErrorLogging();
  refreshed[name] = [];
  client.setOnRefreshToken((token) => refreshed[name].push(token));
  things[name] = client;
}

function call(path, parameters) {
  const names = path.split('.');
  const method = names.pop();
  const holder = names.reduce((thing, name) => thing[name], things);
  return holder[method](...parameters);
}

function listen() {
  for (const name of ['onopen', 'onclose']) Wazo.Websocket.on(name, () => heard.push(name));
}

async function obey(order) {
  if (order.new) return make(order.new, order.options);
  if (order.methods) return Object.keys(things[order.methods].auth);
  if (order.refreshed) return refreshed[order.refreshed];
  if (order.heard) return heard;
  if (order.listen) return listen();
  return call(order.call, order.arguments);
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let outcome;
    try {
      outcome = { value: (await obey(JSON.parse(line))) ?? null };
    } catch (error) {
      const { name, message, status, errorId, details } = error;
      outcome = { error: { name: error.constructor.name || name, message, status, errorId, details } };
    }
    // The SDK adds the answer's headers to what it parsed.
    process.stdout.write(`${JSON.stringify(outcome, (key, value) => (key === '_headers' ? undefined : value))}\n`);
  }
  process.exit(0);
}

main();
