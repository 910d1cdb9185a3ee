#!/usr/bin/env node
import { run } from '@cleat/sdk';
import noRemove from './no-remove.js';

await run(noRemove, { name: 'no-remove' });
