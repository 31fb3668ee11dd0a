import { describeBroker } from './describe-broker.js';
import { describeDisk } from './describe-disk.js';
import { simulatedBroker, simulatedDisk } from './simulated.js';

const broker = simulatedBroker();

describeBroker('The simulated broker', () => broker);
describeDisk('The simulated disk', simulatedDisk);
