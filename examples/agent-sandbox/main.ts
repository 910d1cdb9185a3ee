#!/usr/bin/env node
import { run } from '@cleat/sdk';
import agentSandbox from './agent-sandbox.js';

await run(agentSandbox, { name: 'agent-sandbox' });
