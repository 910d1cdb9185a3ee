#!/usr/bin/env node
import { run } from '@cleat/sdk';
import labelAuthz from './label-authz.js';

await run(labelAuthz, { name: 'label-authz' });
