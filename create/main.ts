#!/usr/bin/env node
import { createCommand } from './command.js';

process.exitCode = await createCommand(process.argv.slice(2));
