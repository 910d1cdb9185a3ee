#!/usr/bin/env node
import { run } from '@cleat/sdk';
import balancer from './balancer.js';
import { listenFlags } from './settings/listen-flags.js';

process.argv.push(...listenFlags(process.argv.slice(2), process.env));
await run(balancer, { name: 'balancer' });
