#!/usr/bin/env node
import { recordCommand } from '../command.js';

process.exitCode = await recordCommand(process.argv.slice(2));
