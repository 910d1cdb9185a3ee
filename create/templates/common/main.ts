#!/usr/bin/env node
import { run } from '@cleat/sdk';
import plugin from './plugin.js';

await run(plugin, { name: 'my-plugin' });
