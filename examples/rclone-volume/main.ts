#!/usr/bin/env node
import { run } from '@cleat/sdk';
import rcloneVolume from './rclone-volume.js';

await run(rcloneVolume, { name: 'rclone-volume' });
