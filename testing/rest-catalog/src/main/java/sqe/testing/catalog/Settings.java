package sqe.testing.catalog;

import java.time.Duration;
import java.util.Locale;
import java.util.Optional;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.AwsCredentialsProvider;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;

/**
 * What the program is told from outside.
 *
 * <p>Each setting is a system property such as {@code sqe.catalog.port}, else the environment
 * variable of that name, such as {@code SQE_CATALOG_PORT}.
 *
 * @param tokenLife of the tokens that the program itself issues
 * @param credentialLife of vended keys, as it is told to clients; the store's own minimum is 900 s
 * @param issuer of the bearer tokens that are taken beside the program's own, if any
 * @param audience that such a token must name
 * @param endpoint of the store for a warehouse whose storage configuration names none
 * @param accessKey with which the program itself uses the store
 */
record Settings(
    String host,
    int port,
    String rootId,
    String rootSecret,
    Duration tokenLife,
    Duration credentialLife,
    Optional<String> issuer,
    String audience,
    Optional<String> endpoint,
    String region,
    String accessKey,
    String secretKey) {

  static Settings read() {
    return new Settings(
        get("sqe.catalog.host").orElse("127.0.0.1"),
        get("sqe.catalog.port").map(Integer::parseInt).orElse(18181),
        get("sqe.catalog.root.id").orElse("root"),
        get("sqe.catalog.root.secret").orElse("s3cr3t"),
        seconds("sqe.catalog.token.life"),
        seconds("sqe.catalog.credential.life"),
        get("sqe.catalog.oidc.issuer"),
        get("sqe.catalog.oidc.audience").orElse("catalog"),
        get("sqe.catalog.s3.endpoint"),
        get("aws.region").orElse("us-east-1"),
        get("aws.access.key.id").orElse(""),
        get("aws.secret.access.key").orElse(""));
  }

  AwsCredentialsProvider keys() {
    return StaticCredentialsProvider.create(AwsBasicCredentials.create(accessKey, secretKey));
  }

  private static Duration seconds(String name) {
    return Duration.ofSeconds(get(name).map(Long::parseLong).orElse(3600L));
  }

  private static Optional<String> get(String name) {
    String variable = name.toUpperCase(Locale.ROOT).replace('.', '_');
    return Optional.ofNullable(System.getProperty(name, System.getenv(variable)))
        .filter(value -> !value.isBlank());
  }
}
