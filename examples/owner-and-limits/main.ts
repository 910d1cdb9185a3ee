#!/usr/bin/env node
import { run } from '@cleat/sdk';
import ownerAndLimits from './owner-and-limits.js';

await run(ownerAndLimits, { name: 'owner-and-limits' });
