#!/usr/bin/env node
import { run } from '@cleat/sdk';
import overlay from './overlay.js';

await run(overlay, { name: 'overlay' });
