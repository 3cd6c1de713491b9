package sqe.testing.catalog;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.apache.iceberg.exceptions.BadRequestException;
import software.amazon.awssdk.services.sts.StsClient;
import software.amazon.awssdk.services.sts.model.Credentials;

/**
 * Keys for one table: made by the store's STS, bound by a session policy to the table's locations.
 *
 * <p>Objects below a location can be read, and listed with a prefix that ends in a slash; writers
 * can also put and delete them. Nothing else is allowed, such as aborting a multipart upload.
 */
final class Vending {

  /** The shortest life that STS grants. */
  private static final Duration SHORTEST = Duration.ofSeconds(900);

  /** STS wants a role; the store takes any, and the rights of the account it is asked with. */
  private static final String ROLE = "arn:aws:iam::000000000000:role/rest-catalog";

  private final StsClient sts;
  private final Duration life;

  /** {@code life} of the keys as it is told to clients. */
  Vending(StsClient sts, Duration life) {
    this.sts = sts;
    this.life = life;
  }

  /** The properties {@code s3.*} of fresh keys. */
  Map<String, String> keys(String principal, Set<String> locations, boolean write) {
    Duration asked = life.compareTo(SHORTEST) < 0 ? SHORTEST : life;
    Instant told = Instant.now().plus(life);
    Credentials made =
        sts.assumeRole(
                request ->
                    request
                        .roleArn(ROLE)
                        .roleSessionName(principal.replaceAll("[^A-Za-z0-9_=,.@-]", "-"))
                        .durationSeconds((int) asked.toSeconds())
                        .policy(policy(locations, write)))
            .credentials();
    Instant expires = made.expiration().isBefore(told) ? made.expiration() : told;
    Map<String, String> keys = new LinkedHashMap<>();
    keys.put("s3.access-key-id", made.accessKeyId());
    keys.put("s3.secret-access-key", made.secretAccessKey());
    keys.put("s3.session-token", made.sessionToken());
    keys.put("s3.session-token-expires-at-ms", Long.toString(expires.toEpochMilli()));
    return keys;
  }

  static String policy(Set<String> locations, boolean write) {
    ObjectNode policy = Json.object().put("Version", "2012-10-17");
    ArrayNode statements = policy.putArray("Statement");
    for (String location : locations) {
      if (location.matches(".*[*?$].*")) {
        throw new BadRequestException("location %s has a character that policies use", location);
      }
      String[] parts = location.replaceFirst("^s3a?://", "").split("/", 2);
      String bucket = "arn:aws:s3:::" + parts[0];
      String below = (parts.length == 2 ? parts[1] + "/" : "") + "*";
      allow(statements, bucket + "/" + below, "s3:GetObject", "s3:GetObjectVersion");
      if (write) {
        allow(statements, bucket + "/" + below, "s3:PutObject", "s3:DeleteObject");
      }
      allow(statements, bucket, "s3:GetBucketLocation");
      allow(statements, bucket, "s3:ListBucket")
          .putObject("Condition")
          .putObject("StringLike")
          .put("s3:prefix", below);
    }
    return policy.toString();
  }

  private static ObjectNode allow(ArrayNode statements, String resource, String... actions) {
    ObjectNode statement = statements.addObject().put("Effect", "Allow").put("Resource", resource);
    ArrayNode list = statement.putArray("Action");
    for (String action : actions) {
      list.add(action);
    }
    return statement;
  }
}
