#!/usr/bin/env node
import { run } from '@cleat/sdk';
import vethNetwork from './veth-network.js';

await run(vethNetwork, { name: 'veth-network' });
