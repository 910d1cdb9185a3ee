#!/usr/bin/env node
import { run } from '@cleat/sdk';
import lokiLogs from './loki-logs.js';

await run(lokiLogs, { name: 'loki-logs' });
