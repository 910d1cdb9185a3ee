import { chaos } from './suite.js';
import { batteries } from './world.js';

chaos(batteries);
