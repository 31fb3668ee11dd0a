import { describeBroker } from './describe-broker.js';
import { describeDatabase } from './describe-database.js';
import { describeDisk } from './describe-disk.js';
import { simulatedBroker, simulatedDatabase, simulatedDisk } from './simulated.js';

const broker = simulatedBroker();
const database = simulatedDatabase();

describeBroker('The simulated broker', () => broker);
describeDisk('The simulated disk', simulatedDisk);
describeDatabase('The simulated database', () => database);
