#!/usr/bin/env node
import { run } from '@cleat/sdk';
import noPrivileges from './no-privileges.js';

await run(noPrivileges, { name: 'no-privileges' });
