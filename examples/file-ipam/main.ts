#!/usr/bin/env node
import { run } from '@cleat/sdk';
import fileIpam from './file-ipam.js';

await run(fileIpam, { name: 'file-ipam' });
