import { serveSinks } from '@cleat/sdk/logs/serve-sinks';
import { syslog } from './destination.js';

serveSinks(syslog);
