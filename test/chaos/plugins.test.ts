import { chaos } from './suite.js';
import { plugins } from './world.js';

chaos(plugins);
