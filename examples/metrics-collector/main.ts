#!/usr/bin/env node
import { run } from '@cleat/sdk';
import metricsCollector from './metrics-collector.js';

await run(metricsCollector, { name: 'metrics-collector' });
