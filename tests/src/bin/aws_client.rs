// SPDX-License-Identifier: MPL-2.0
//! A process that uses the AWS SDK for Rust: asks it for credentials over and over, as its
//! environment says, and prints the access key id or what is wrong.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_credential_types::provider::ProvideCredentials;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    loop {
        let config = aws_config::defaults(BehaviorVersion::latest())
            .http_client(gstawscreds::session::sdk_http_client())
            .load()
            .await;
        match config.credentials_provider() {
            Some(provider) => match provider.provide_credentials().await {
                Ok(credentials) => println!("{}", credentials.access_key_id()),
                Err(why) => println!("error: {}", aws_error(&why)),
            },
            None => println!("error: the SDK looks for no credentials"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn aws_error(why: &dyn std::error::Error) -> String {
    match why.source() {
        Some(source) => format!("{why}: {}", aws_error(source)),
        None => why.to_string(),
    }
}
