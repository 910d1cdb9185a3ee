import { serveSinks } from '@cleat/sdk/logs/serve-sinks';
import { local } from './destination.js';

serveSinks(local);
