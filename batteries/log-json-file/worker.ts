import { serveSinks } from '@cleat/sdk/logs/serve-sinks';
import { jsonFile } from './destination.js';

serveSinks(jsonFile);
