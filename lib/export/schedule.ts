/** What the learning rate ends at, as shares of its peak (`trainSft` and `trainRl`). */
export const SFT_FLOOR = 0.02;
export const RL_FLOOR = 0.05;
