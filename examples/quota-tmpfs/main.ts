#!/usr/bin/env node
import { run } from '@cleat/sdk';
import quotaTmpfs from './quota-tmpfs.js';

await run(quotaTmpfs, { name: 'quota-tmpfs' });
