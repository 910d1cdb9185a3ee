#!/usr/bin/env node
import { run } from '@cleat/sdk';
import sharedMount from './shared-mount.js';

await run(sharedMount, { name: 'shared-mount' });
