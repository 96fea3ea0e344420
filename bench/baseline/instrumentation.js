// Without one here Next.js would run the app's, two folders above.
export const register = () => undefined;
