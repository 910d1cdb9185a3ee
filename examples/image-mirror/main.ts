#!/usr/bin/env node
import { run } from '@cleat/sdk';
import imageMirror from './image-mirror.js';

await run(imageMirror, { name: 'image-mirror' });
