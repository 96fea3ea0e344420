/** The most common passwords of eight characters or more, as published lists of broken-into sites agree. */
const common = new Set(
  `password password1 password12 password123 password1234 passw0rd p@ssw0rd p@ssword pa55word password! passwort
  12345678 123456789 1234567890 0123456789 0987654321 987654321 87654321 11111111 111111111 1111111111 00000000 000000000
  88888888 99999999 12341234 12344321 11223344 1122334455 123123123 123321123 147258369 159753456 741852963 789456123
  12345679 123456780 12345678910 123456abc abc12345 abcd1234 abc123456 a1234567 a12345678 a123456789 1234abcd 1234qwer
  123qweasd 1q2w3e4r 1q2w3e4r5t 1qaz2wsx 1qazxsw2 q1w2e3r4 q1w2e3r4t5 qazwsxedc zaq12wsx qwertyui qwertyuiop qwerty12
  qwerty123 qwerty1234 qwerty12345 qwer1234 qwertyqwerty asdfghjk asdfghjkl asdfasdf asdf1234 zxcvbnm1 zxcvbnmm 1234567q
  iloveyou iloveyou1 iloveyou2 iloveyou! sunshine sunshine1 princess princess1 football football1 baseball baseball1
  basketball superman superman1 batman123 spiderman starwars starwars1 pokemon1 pokemon123 michelle jennifer jessica1
  charlie1 jordan23 michael1 michelle1 liverpool chelsea1 arsenal1 manchester computer internet whatever trustno1 welcome1
  welcome123 letmein1 letmein123 admin123 admin1234 administrator changeme changeme1 default1 testtest test1234 test12345
  master123 dragon123 monkey123 shadow123 killer123 freedom1 corvette mercedes maverick midnight samantha victoria
  alexander benjamin nicholas einstein butterfly chocolate blink182 babygirl lovelove loveyou1 hello123 hellohello
  secret123 access14 mustang1 cowboys1 steelers yankees1 redskins aaaaaaaa aaaaaaaaaa abcdefgh abcdefg1 abcdefghi
  abcdefghij google123 facebook linkedin dropbox1 minecraft samsung1 nintendo playstation`
    .split(/\s+/)
    .filter(Boolean),
);

/** Whether attackers would try this password among their first. */
export const isCommonPassword = (password: unknown): boolean =>
  typeof password === "string" && common.has(password.toLowerCase());
