#!/usr/bin/env node
import { replayCommand } from '../command.js';

process.exitCode = await replayCommand(process.argv.slice(2));
