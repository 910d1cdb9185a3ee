#!/usr/bin/env node
import { parseArgs } from 'node:util';
import { Engine, type Filters } from '@cleat/sdk/watch';
import { post } from './event-webhook.js';

const { values, positionals } = parseArgs({
  options: {
    filter: { type: 'string', multiple: true, default: [] },
    state: { type: 'string', default: '/var/lib/event-webhook/state.json' },
  },
  allowPositionals: true,
});
const [url] = positionals;
if (url === undefined) {
  console.error('usage: main.js [--state FILE] [--filter key=value]… URL');
  process.exit(64);
}
const filters: { [key: string]: string[] } = {};
for (const text of values.filter) {
  const [key = '', value = ''] = text.split(/=(.*)/s);
  filters[key] = [...(filters[key] ?? []), value];
}
const stop = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());

await post({
  engine: new Engine(process.env.DOCKER_HOST),
  url,
  state: values.state,
  filters: filters satisfies Filters,
  signal: stop.signal,
  log: console,
});
